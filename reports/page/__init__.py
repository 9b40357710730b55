"""The HTML page and its sections."""

from circuitvar.reports.page.join import join_sections, joined_checks
from circuitvar.reports.page.section_file import (
    SectionFigure, SectionTable, read_section, write_section,
)
from circuitvar.reports.page.write import check_writable, unwritable, write_report

__all__ = [
    "SectionFigure", "SectionTable", "check_writable", "join_sections", "joined_checks",
    "read_section", "unwritable", "write_report", "write_section",
]
