import pytest
from pydantic import ValidationError

from noble.configs import describe_problems
from noble.train.ablation import AblationConfig


def test_a_variant_is_the_shared_run_with_its_changes():
    ablation = AblationConfig.model_validate(
        {
            "train": {"epochs": 3, "optimiser": {"name": "soap"}},
            "variants": {"none": {"features": []}, "20 models": {"models": 20, "epochs": 4}},
        }
    )
    none, fewer = ablation.variant("none"), ablation.variant("20 models")
    assert none.feature_names == ()
    assert (none.epochs, none.models, none.optimiser.name) == (3, None, "soap")
    assert fewer.feature_names is None
    assert (fewer.epochs, fewer.models, fewer.optimiser.name) == (4, 20, "soap")


@pytest.mark.parametrize(
    ("variants", "problem"),
    [
        ({}, "at least 1 item"),
        ({"a": {"colour": 1}}, "variant 'a' changes colour; expected keys of a training run: operator, features"),
        ({"a": {"epochs": 0}}, "epochs is 0"),
        ({"../a": {}}, "should match pattern"),
    ],
)
def test_a_bad_variant_is_named_before_anything_is_trained(variants, problem):
    with pytest.raises(ValidationError) as error:
        AblationConfig.model_validate({"variants": variants})
    assert problem in describe_problems(AblationConfig, error.value)
