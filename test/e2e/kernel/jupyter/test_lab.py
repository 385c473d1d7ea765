"""JupyterLab itself, in a headless browser: the Figure 1 notebook, and Stop during training."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from urllib.request import urlopen

import nbformat
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

ROOT = Path(__file__).resolve().parents[4]

TRAIN = """
import { runToy as train } from 'gibbs';
console.log('training');
await train({ dataset: 'pinwheel', preset: 'paper', seed: 987654, runs: './runs' } as any);
"""

# A slider on the page; each end of the comm sends bytes, and the kernel draws the chart again.
SLIDER = """
const esm = `export default {
  render({ model, el }) {
    const input = document.createElement('input');
    input.type = 'range';
    input.className = 'gibbs-slider';
    input.value = model.get('value');
    input.addEventListener('input', () => {
      const value = Number(input.value);
      model.set({ value, sent: new DataView(new Uint8Array([value, 7]).buffer) });
      model.save_changes();
    });
    const echo = document.createElement('span');
    echo.className = 'gibbs-echo';
    model.on('change:echo', () => {
      const { buffer, byteOffset, byteLength } = model.get('echo');
      echo.textContent = new Uint8Array(buffer, byteOffset, byteLength).join();
    });
    el.append(input, echo);
  },
};`;
const drawn = (value: number) => ({
  $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
  data: { values: [{ value }] },
  mark: 'bar',
  encoding: { x: { field: 'value', type: 'quantitative', scale: { domain: [0, 100] } } },
});
const slider = display.widget({ esm, state: { value: 10, sent: new Uint8Array(), echo: new Uint8Array() } });
await display(slider);
const redrawn = await display(drawn(10));
slider.on('value', (value: number) => redrawn.update(drawn(value)));
slider.on('sent', (bytes: Uint8Array) => slider.set({ echo: bytes.map((b) => b + 1) }));
"""

MOVE = """
const input = arguments[0];
input.value = '42';
input.dispatchEvent(new Event('input', { bubbles: true }));
"""

# What the chart shows, whether it is drawn as SVG or on a canvas.
PICTURE = """
const cell = window.jupyterapp.shell.currentWidget.content.widgets[arguments[0]].node;
const chart = cell.querySelector('.vega-embed svg, .vega-embed canvas');
return chart === null ? null : chart.tagName === 'CANVAS' ? chart.toDataURL() : chart.outerHTML;
"""

RUN = """
const done = arguments[arguments.length - 1];
window.jupyterapp.commands.execute(arguments[0], arguments[1] ?? {}).then(() => done(null), (e) => done(String(e)));
"""

# The cells as the page has them: execution count, prompt, outputs.
CELLS = """
const panel = window.jupyterapp.shell.currentWidget;
return panel.content.widgets.map((cell) => ({
  type: cell.model.type,
  prompt: cell.model.type === 'code' ? cell.model.executionState ?? null : null,
  count: cell.model.executionCount ?? null,
  outputs: cell.model.type === 'code' ? cell.model.outputs.toJSON() : [],
  images: cell.node.querySelectorAll('.jp-OutputArea-output img').length,
  charts: cell.node.querySelectorAll('.jp-OutputArea-output .vega-embed svg, .jp-OutputArea-output .vega-embed canvas').length,
}));
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class LabTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = Path(tempfile.mkdtemp(prefix="gibbs-lab-"))
        notebook = nbformat.read(ROOT / "notebooks" / "fig1-toy-density.ipynb", as_version=4)
        for cell in notebook.cells:
            if "parameters" in cell.metadata.get("tags", []):
                cell.source = cell.source.replace("'quick'", "'smoke'")
            cell.pop("outputs", None) if cell.cell_type != "code" else cell.update(outputs=[])
        cls.figure_cells = len(notebook.cells)
        chart = {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "mark": "point",
                 "data": {"values": [{"a": 1, "b": 2}]},
                 "encoding": {"x": {"field": "a", "type": "quantitative"},
                              "y": {"field": "b", "type": "quantitative"}}}
        for source in (f"const kept = 'still here';\ndisplay.vegaLite({json.dumps(chart)});", TRAIN, "kept", SLIDER):
            notebook.cells.append(nbformat.v4.new_code_cell(source))
        notebook.metadata["kernelspec"] = {"name": "gibbs", "display_name": "Gibbs", "language": "typescript"}
        nbformat.write(notebook, cls.dir / "lab.ipynb")
        port = free_port()
        cls.server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--allow-root",
             "--IdentityProvider.token=", "--ServerApp.password=", f"--ServerApp.root_dir={cls.dir}",
             "--LabApp.expose_app_in_browser=True", "--LabApp.news_url="],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}/lab/tree/lab.ipynb?reset"
        cls.wait_for(lambda: cls.answers(f"http://127.0.0.1:{port}/api"), 60)
        options = webdriver.ChromeOptions()
        for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,1200"):
            options.add_argument(flag)
        options.binary_location = shutil.which("chromium") or shutil.which("google-chrome")
        cls.browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        cls.browser.set_script_timeout(60)
        cls.browser.get(url)
        cls.wait_for(lambda: cls.browser.execute_script(
            "const w = window.jupyterapp?.shell?.currentWidget;"
            "return w?.sessionContext?.session?.kernel?.status === 'idle' && w.content.widgets.length > 0"), 120)

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()
        cls.server.terminate()
        cls.server.wait(20)
        shutil.rmtree(cls.dir, ignore_errors=True)

    @staticmethod
    def answers(url):
        try:
            return urlopen(url, timeout=2).status == 200
        except OSError:
            return False

    @staticmethod
    def wait_for(condition, seconds):
        end = time.time() + seconds
        while time.time() < end:
            try:
                value = condition()
            except Exception:
                value = None
            if value:
                return value
            time.sleep(0.2)
        raise AssertionError("not within the time")

    def command(self, name, arguments=None):
        error = self.browser.execute_async_script(RUN, name, arguments)
        self.assertIsNone(error)

    def start(self, index):
        """Runs the cell `index` and does not wait for it."""
        self.browser.execute_script(
            "const c = window.jupyterapp.shell.currentWidget.content; c.activeCellIndex = arguments[0];"
            "c.mode = 'command'; window.jupyterapp.commands.execute('notebook:run-cell');", index)

    def cells(self):
        return self.browser.execute_script(CELLS)

    def text(self, index):
        outputs = self.cells()[index]["outputs"]
        return json.dumps(outputs)

    def test_figure_chart_stop_and_go_on(self):
        code = [i for i, c in enumerate(self.cells()) if c["type"] == "code"]
        *figure, chart, train, after, _ = code
        for index in figure:
            self.start(index)
            self.wait_for(lambda i=index: self.cells()[i]["count"], 400)
        shown = self.cells()
        errors = [o for i in figure for o in shown[i]["outputs"] if o["output_type"] == "error"]
        self.assertEqual(errors, [])
        self.assertGreater(sum(shown[i]["images"] + shown[i]["charts"] for i in figure), 0)

        self.start(chart)
        self.wait_for(lambda: self.cells()[chart]["charts"] > 0, 60)

        self.start(train)
        self.wait_for(lambda: "training" in self.text(train), 60)
        time.sleep(2)
        self.command("notebook:interrupt-kernel")
        self.wait_for(lambda: "InterruptedError" in self.text(train), 60)
        self.start(after)
        self.wait_for(lambda: "still here" in self.text(after), 60)
        self.keep_picture()

    def test_slider_drives_a_chart(self):
        index = len(self.cells()) - 1
        self.start(index)
        self.wait_for(lambda: self.picture(index), 60)
        sliders = self.wait_for(
            lambda: self.browser.find_elements("css selector", ".gibbs-slider"), 60)
        before = self.picture(index)
        self.browser.execute_script(MOVE, sliders[0])
        self.wait_for(lambda: self.echo() == "43,8", 60)
        self.wait_for(lambda: '"value": 42' in self.text(index), 60)
        self.wait_for(lambda: self.picture(index) not in (None, before), 60)
        self.keep_picture()

    def picture(self, index):
        return self.browser.execute_script(PICTURE, index)

    def echo(self):
        return self.browser.find_element("css selector", ".gibbs-echo").text

    def keep_picture(self):
        picture = os.environ.get("GIBBS_LAB_PICTURE")
        if picture:
            self.browser.save_screenshot(picture)


if __name__ == "__main__":
    unittest.main()
