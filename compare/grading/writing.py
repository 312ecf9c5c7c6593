"""Rows out: a table and a page of the class, and for each submission what Gradescope reads and a page of feedback.

Names and messages come from outside: escaped for each format, and what steers a terminal or breaks XML is made visible.
"""

import csv
import io
import json
import xml.etree.ElementTree as ElementTree

from compare import files, plain
from compare.grading import pages
from compare.grading.telling import GOOD, part_lines, summary

FILES = ("grades.csv", "class.html", "junit.xml")
EACH = "each"  # the folder in which every submission has one of its own
COLUMNS = (
    "submission",
    "score",
    "out_of",
    "status",
    "exit_code",
    "differs",
    "defects",
    "not_offered",
    "unconnected",
    "error",
    "seconds",
    "not_limited",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with these a cell begins that a spreadsheet computes
LONGEST = 5000  # characters of what Gradescope shows of one test


def write_one(out, row, feedback):
    """Write a submission's own folder: results.json, feedback.html, and case.npz and show.py where a case shows it."""
    folder = out / EACH / row.safe
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(folder / "results.json", json.dumps(results(row, feedback), indent=1, allow_nan=False) + "\n")
    files.write_text(folder / "feedback.html", pages.feedback_page(row, feedback))
    for name in ("case.npz", "show.py"):
        if name in row.case:
            files.write_bytes(folder / name, row.case[name])
        else:
            (folder / name).unlink(missing_ok=True)


def write_class(grades, rubric, feedback, total):
    """Write FILES, of `total` submissions those that are graded."""
    files.write_text(grades.out / "grades.csv", table(grades))
    files.write_text(grades.out / "junit.xml", junit(grades.rows, feedback))
    files.write_text(grades.out / "class.html", pages.class_page(grades, rubric, total))


def table(grades):
    """The CSV: a line for each row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in grades.rows:
        unconnected = "; ".join(name for name, _ in row.verdict.get("unconnected", []))
        differs, defects, not_offered = ("; ".join(each) for each in (row.differing, row.defects, row.not_offered))
        told = (row.status, row.exit_code, differs, defects, not_offered, unconnected, row.error, row.seconds)
        limits = "; ".join(grades.not_limited)
        writer.writerow([cell(each) for each in (row.name, row.score, row.out_of, *told, limits)])
    return text.getvalue()


def cell(value):
    """A value as it may stand in a CSV file: a text is on one line, and never computed."""
    if not isinstance(value, str):
        return value
    value = plain.line(value)
    return f"'{value}" if value.startswith(FORMULA) else value


def results(row, feedback):
    """What Gradescope reads, as JSON holds it.

    Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/
    """
    tests = []
    for number, part in enumerate(row.parts, 1):
        lines = part_lines(row, part)
        test = {"name": part.name, "score": part.points, "max_score": part.out_of, "number": str(number)}
        test |= {"status": "passed" if part.state in GOOD else "failed", "output": "\n".join(lines)[:LONGEST]}
        tests.append(test | {"output_format": "text", "visibility": "visible"})
    found = {"score": row.score, "execution_time": row.seconds, "output": "\n".join(summary(row, feedback))[:LONGEST]}
    more = {"status": row.status, "exit_code": row.exit_code, "differs": row.differing}
    more |= {"defects": row.defects if feedback != "stage" else []}
    found |= {"output_format": "text", "visibility": "visible", "stdout_visibility": "hidden", "tests": tests}
    return found | {"extra_data": more}


def junit(rows, feedback):
    """JUnit's XML: a suite for each submission, a case for each part, its points as properties."""
    top = ElementTree.Element("testsuites")
    for row in rows:
        name = plain.line(row.name)
        suite = ElementTree.SubElement(
            top, "testsuite", name=name, time=f"{row.seconds:.2f}", tests=str(len(row.parts))
        )
        counts = {"errors": 0, "failures": 0, "skipped": 0}
        properties = ElementTree.SubElement(suite, "properties")
        for key, value in (("score", row.score), ("out_of", row.out_of), ("status", plain.line(row.status))):
            ElementTree.SubElement(properties, "property", name=key, value=str(value))
        for part in row.parts:
            case = ElementTree.SubElement(suite, "testcase", classname=name, name=part.name, time="0")
            held = ElementTree.SubElement(case, "properties")
            for key, value in (("points", part.points), ("out_of", part.out_of)):
                ElementTree.SubElement(held, "property", name=key, value=f"{value:g}")
            if part.state in GOOD:
                continue
            kind = {"failures": "failure", "errors": "error", "skipped": "skipped"}
            count = "skipped" if part.state == "not offered" else "failures"
            count = "errors" if row.status == "tool error" else count
            counts[count] += 1
            told = ElementTree.SubElement(case, kind[count], message=part.state)
            told.text = "\n".join([*part_lines(row, part), *summary(row, feedback)])
        for key, value in counts.items():
            suite.set(key, str(value))
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(top, encoding="unicode") + "\n"
