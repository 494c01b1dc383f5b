"""The spike-feedback operator: it reads the current bin by bin, and knows which spikes it has fired itself."""
