"""A family of neurons beside a recording of the same steps."""

from noble.comparison.recording import RecordingComparison, compare_recording

__all__ = ["RecordingComparison", "compare_recording"]
