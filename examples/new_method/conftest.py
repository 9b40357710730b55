pytest_plugins = ["circuitvar.reports.pytest_plugin"]
