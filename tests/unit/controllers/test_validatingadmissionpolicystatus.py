from pybernetes.api import admissionregistration_v1 as api
from pybernetes.api import meta_v1
from support.world import World

RULE = api.NamedRuleWithOperations(
    apiGroups=["apps"], apiVersions=["v1"], operations=["CREATE"], resources=["deployments", "deployments/scale"]
)


def policy(*validations: api.Validation, rule: api.NamedRuleWithOperations = RULE) -> api.ValidatingAdmissionPolicy:
    return api.ValidatingAdmissionPolicy(
        metadata=meta_v1.ObjectMeta(name="p", generation=1),
        spec=api.ValidatingAdmissionPolicySpec(
            matchConstraints=api.MatchResources(resourceRules=[rule]),
            variables=[api.Variable(name="replicas", expression="object.spec.replicas")],
            validations=list(validations),
        ),
    )


async def status_of(made: api.ValidatingAdmissionPolicy) -> api.ValidatingAdmissionPolicyStatus:
    async with World("validatingadmissionpolicy-status-controller").started() as world:
        await world.client.create(made)
        await world.settle(2)
        return (await world.client.get(api.ValidatingAdmissionPolicy, "p")).status


async def test_well_typed_expressions_get_no_warning() -> None:
    status = await status_of(
        policy(
            api.Validation(
                expression="variables.replicas > 1 && object.spec.template.spec.containers.all(c, c.name != '')",
                messageExpression="'only ' + string(object.spec.replicas)",
            )
        )
    )
    assert status.observedGeneration == 1
    assert status.typeChecking == api.TypeChecking()


async def test_a_field_that_is_not_there_is_named_with_the_kind() -> None:
    wrong, right = api.Validation(expression="object.foo == 'bar'"), api.Validation(expression="true")
    status = await status_of(policy(wrong, right))
    assert status.typeChecking is not None
    (warning,) = status.typeChecking.expressionWarnings
    assert warning.fieldRef == "spec.validations[0].expression"
    assert warning.warning == (
        "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'foo'\n | object.foo == 'bar'\n | ......^\n"
    )


async def test_a_variable_carries_its_type_into_the_check() -> None:
    status = await status_of(policy(api.Validation(expression="variables.replicas == 'two'")))
    assert status.typeChecking is not None
    (warning,) = status.typeChecking.expressionWarnings
    assert "found no matching overload for '_==_' applied to '(int, string)'" in warning.warning


async def test_wildcards_are_not_checked() -> None:
    everything = api.NamedRuleWithOperations(apiGroups=["*"], apiVersions=["*"], operations=["*"], resources=["*"])
    status = await status_of(policy(api.Validation(expression="object.foo == 'bar'"), rule=everything))
    assert status.typeChecking == api.TypeChecking()
