"""The playground in JupyterLab."""

from browser import notebook_page


def test_the_playground_opens_in_a_notebook(tmp_path):
    """Its keys are not the notebook's shortcuts, and its worker may run there."""
    cell = "from vae_helpers.view.playground import playground\nplayground()"
    with notebook_page(tmp_path, [cell], "[data-vae-playground]") as page:
        look = "((page) => page && {})(document.querySelector('[data-vae-playground]').playground)"
        page.wait_for_function(look.format("page.study.report"))
        page.locator(".pad").press("7")  # in JupyterLab's command mode: nothing; 1 to 6 would make headings
        page.locator(".pad").press("1")
        assert page.locator(".said").first.inner_text().startswith("For a 1,")
        assert page.locator(".jp-CodeCell").count() == 1 and page.locator(".jp-MarkdownCell").count() == 0
        page.locator("[data-vae-playground] button", has_text="▶").click()
        page.wait_for_function(look.format("page.study.report.epoch >= 1"))
        assert page.evaluate(look.format("page.study.port.session === null")) and page.errors == []
