"""The paper's operator: an embedding of current and features, and a Fourier neural operator; the baseline."""
