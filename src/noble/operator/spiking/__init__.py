"""The spike-phase operator: when a neuron fires and what its voltage looks like, learned apart."""
