"""What stands on a page, read out of its HTML: tables as cells of text, what charts say of their marks, the rest."""

from html.parser import HTMLParser


class Read(HTMLParser):
    """tables: {caption: rows of cells}; tips: of marks in charts; titles: of cells, pictures; words: all other text."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.tips, self.titles, self.words = {}, [], [], []
        self.inside, self.rows, self.caption = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag in ("img", "meta", "link", "br", "input", "use", "path", "circle", "rect"):
            self.titles += [value for name, value in attrs if name == "title"]
            return
        self.inside.append(tag)
        self.titles += [value for name, value in attrs if name == "title"]
        if tag == "table":
            self.rows, self.caption = [], ""
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if tag == "table":
            self.tables[" ".join(self.caption.split())] = [
                [" ".join(cell.split()) for cell in row] for row in self.rows
            ]
        if tag in self.inside:
            while self.inside.pop() != tag:
                pass

    def handle_data(self, text):
        if "style" in self.inside or "script" in self.inside:
            return
        if "title" in self.inside and "svg" in self.inside:
            self.tips.append(text)
        elif "caption" in self.inside:
            self.caption += text
        elif "td" in self.inside or "th" in self.inside:
            self.rows[-1][-1] += text
        elif "svg" not in self.inside:
            self.words.append(text)
