"""One edge at a time: means, tests, certificates, influence, forecasts."""
