pytest_plugins = ["circuitvar.reports.compare.pytest_plugin"]
