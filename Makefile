.PHONY: up down test check fix gen bench lock fuzz fuzz-api chaos
SHARED ?= ../shared

up:
	@scripts/bootstrap run
	@scripts/node-packages
	@.venv/bin/pybernetes up $(ARGS)

down:
	@.venv/bin/pybernetes down

test:
	@scripts/bootstrap dev
	@scripts/node-packages test
	@scripts/test $(ARGS)

check:
	@scripts/bootstrap dev
	@scripts/check

fix:
	@scripts/bootstrap dev
	@scripts/fix

gen:
	@scripts/bootstrap build
	@.venv/bin/python tools/generate.py $(SHARED)/api-facts
	@.venv/bin/python -m grpc_tools.protoc -Isrc --python_out=src --pyi_out=src src/pybernetes/kubelet/cri/api.proto

bench:
	@scripts/bootstrap dev
	@scripts/node-packages
	@.venv/bin/python bench/run.py $(ARGS)

fuzz:
	@scripts/bootstrap dev
	@HYPOTHESIS_PROFILE=fuzz .venv/bin/pytest -q tests/unit $(ARGS)

fuzz-api:
	@scripts/bootstrap dev
	@PYTHONPATH=src .venv/bin/python tools/fuzz_api.py $(ARGS)

chaos:
	@scripts/bootstrap dev
	@STORAGE_KILL_ROUNDS=100 .venv/bin/pytest -q -s tests/chaos $(ARGS)
