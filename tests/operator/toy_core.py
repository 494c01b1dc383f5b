"""A core of which a test defines what it needs."""

from noble.operator import AbstractCore


class ToyCore(AbstractCore[None]):
    latency_ms = 0.0

    def check_window(self, count, dt_ms):
        pass

    def forward(self, scaled_features, current_na, dt_ms, *, keys=None):
        self.check_keys(keys, len(scaled_features))
        raise AssertionError("nothing is to be drawn")

    def spike_times_ms(self, scaled_features, current_na, dt_ms, *, keys=None):
        self.check_keys(keys, len(scaled_features))
        raise AssertionError("nobody asked when it fires")

    def rest(self, scaled_features, *, keys=None):
        self.check_keys(keys, len(scaled_features))
        raise AssertionError("nothing is to be streamed")

    def advance(self, state, current_na, dt_ms):
        raise AssertionError("nothing is to be streamed")

    def objective(self, examples, losses, generator):
        raise AssertionError("nothing is to be learned")
