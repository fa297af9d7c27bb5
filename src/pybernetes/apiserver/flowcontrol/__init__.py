"""API priority and fairness: whose requests go first when there are more than the server takes at a time.

    matching.py     which flow schema a request belongs to, which flow within it          pure
    allocation.py   how many seats each priority level has, how idle ones are lent        pure
    demand.py       how many seats a level wanted over time; how long refused clients wait
    level.py        the seats of one level and the queues before them
    fairness.py     puts them together from the API objects; what the pipeline calls
    keeper.py       keeps the objects every cluster has, writes the Dangling condition
    metrics.py, dumps.py   what can be seen of it

A request that never waits (most reads) looks up its flow, sees that its level has room, and counts one. Only requests
that wait for something hold seats: between two awaits nothing else runs anyway.

Follows: KEP-1040; apiserver pkg/util/flowcontrol.
"""
