"""A search box over the questions of a notebook. Core ipywidgets only, as the controls."""

import html

import ipywidgets as ipw
from IPython.display import display

from vae_helpers.questions import find, first_sentence, read, read_synonyms


class QuestionBox(ipw.VBox):
    """A text field, and beneath it the questions of a notebook that fit its words, drawn anew at every key.

    path: the notebook file, from the folder of the running notebook. `found` lists the headings that are shown,
    `sentence` says what the box is, or, for a file that cannot be read, what is the matter. A reader without a kernel
    gets this sentence.
    """

    def __init__(self, path):
        self.questions, self.synonyms, self.found = [], [], []
        try:
            self.questions, self.synonyms = read(path), read_synonyms(path)
            self.sentence = f"A search box over {len(self.questions)} questions; in a running notebook, type in it."
        except ValueError as error:
            self.sentence = str(error)
        wide = ipw.Layout(width="min(100%, 40em)")
        style, hint = {"description_width": "initial"}, "a few words, as: blurry pictures"
        self.field = ipw.Text(description="Your words", placeholder=hint, layout=wide, style=style)
        self.field.disabled = not self.questions
        self.answers = ipw.HTMLMath()  # first sentences may hold formulas
        super().__init__([self.field, self.answers])
        self.add_class("vae-control")
        self.field.observe(self._search, names="value")
        self._search()

    def ask(self, words):
        """Type these words into the field, as a hand would; returns the headings that are then shown."""
        self.field.value = words
        return self.found

    def _search(self, change=None):
        words = self.field.value
        hits = find(self.questions, words, self.synonyms)
        self.found = [heading for heading, _ in hits]
        if hits:
            lines = "".join(
                f"<li><b>{html.escape(head)}</b><br>{html.escape(first_sentence(text))}</li>" for head, text in hits
            )
            shown = f"<ol>{lines}</ol>"
        elif not self.questions or not words.strip():
            shown = f"<p>{html.escape(self.sentence)}</p>"
        else:
            shown = f"<p>No question has the words {html.escape(repr(words))}. Try fewer words, or others.</p>"
        self.answers.value = f'<div role="status" aria-live="polite">{shown}</div>'

    def _ipython_display_(self, **kwargs):
        view = {"model_id": self.model_id, "version_major": 2, "version_minor": 0}
        bundle = {"application/vnd.jupyter.widget-view+json": view, "text/plain": self.sentence}
        display(bundle, raw=True)


def box(path):
    """A search box over the questions of the notebook file `path`; a file that cannot be read is named in it."""
    return QuestionBox(path)
