"""What can be asked of operators and families of neurons: functions with frozen results, which commands and pages only show."""

from noble.studies.ablation import Ablation, ablate
from noble.studies.ensemble import EnsembleStudy, ensemble_study
from noble.studies.feature_distributions import FamilyComparison, compare_features
from noble.studies.fi import FIStudy, fi_study
from noble.studies.finetuning import FineTuningStudy, fine_tuning_study
from noble.studies.interpolation import InterpolationStudy, interpolation_study
from noble.studies.maps import FeatureMap, feature_map, feature_maps
from noble.studies.recording import RecordingStudy, recording_study
from noble.studies.resolution import ResolutionStudy, resolution_study
from noble.studies.subsampling import SubsamplingStudy, subsampling_study
from noble.studies.training import Trained, train_and_evaluate

__all__ = [
    "Ablation",
    "EnsembleStudy",
    "FIStudy",
    "FamilyComparison",
    "FeatureMap",
    "FineTuningStudy",
    "InterpolationStudy",
    "RecordingStudy",
    "ResolutionStudy",
    "SubsamplingStudy",
    "Trained",
    "ablate",
    "compare_features",
    "ensemble_study",
    "feature_map",
    "feature_maps",
    "fi_study",
    "fine_tuning_study",
    "interpolation_study",
    "recording_study",
    "resolution_study",
    "subsampling_study",
    "train_and_evaluate",
]
