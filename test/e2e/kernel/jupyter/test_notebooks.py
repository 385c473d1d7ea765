"""What notebooks do to a kernel: many cells, no output lost, no growth. Run through nbclient."""

import statistics
import time
import unittest

import nbformat
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient


class NotebookTests(unittest.TestCase):
    def test_no_output_of_200_cells_is_lost_in_five_runs(self):
        for _ in range(5):
            cells = [
                nbformat.v4.new_code_cell(f"console.log('out {i}');\nconst v{i} = {i};\nv{i} * 2")
                for i in range(200)
            ]
            notebook = nbformat.v4.new_notebook(cells=cells)
            NotebookClient(notebook, kernel_name="gibbs", timeout=60).execute()
            for i, cell in enumerate(notebook.cells):
                kinds = [o["output_type"] for o in cell.outputs if o.get("name") != "stderr"]
                self.assertEqual(kinds, ["stream", "execute_result"], f"cell {i}")
                self.assertEqual(cell.outputs[0]["text"], f"out {i}\n")
                self.assertEqual(cell.outputs[1]["data"]["text/plain"], str(i * 2))

    def kernel(self):
        manager, client = start_new_kernel(kernel_name="gibbs")
        self.addCleanup(manager.shutdown_kernel, now=True)

        def run(code):
            replies = []
            client.execute_interactive(code, timeout=120, output_hook=replies.append)
            return [m["content"]["data"]["text/plain"] for m in replies if m["msg_type"] == "execute_result"]

        return run

    def test_500_cells_leave_time_and_memory_as_they_were(self):
        def cells(run, n):
            for i in range(n):
                run(f"const x{i % 50} = {i}; console.log(x{i % 50}); 1 + 1")

        def timed(run):
            start = time.perf_counter()
            run("1 + 1")
            return time.perf_counter() - start

        def memory(run):
            # V8 lets go of the code of cells only after it has stood idle for several collections.
            return int(run("for (let i = 0; i < 10; i++) { (globalThis as any).collect(); "
                           "await new Promise((r) => setTimeout(r, 5)); } process.memoryUsage().heapUsed")[0])

        young, old = self.kernel(), self.kernel()
        old("require('v8').setFlagsFromString('--expose-gc');"
            "(globalThis as any).collect = require('vm').runInNewContext('gc');")
        # In the first hundred cells V8 compiles the kernel itself; from there on, growth is what the
        # cells leave behind.
        for run in (young, old):
            cells(run, 100)
        heap = memory(old)
        cells(old, 500)
        grown = memory(old)
        # In turns: what else the machine does slows both alike. Types of earlier cells are checked
        # behind their end, on another core where one is free; a cell that may be refused waits for that.
        pairs = []
        for _ in range(100):
            for run in (young, old):
                run("// @gibbs types=block\n0")
            pairs.append((timed(young), timed(old)))
        # What grows is in every cell, also in the few that nothing else of the machine held up.
        early, late = (statistics.quantiles(column, n=10)[0] for column in zip(*pairs))
        print(f"\n1+1: {1e3 * early:.2f} ms, after 500 more cells {1e3 * late:.2f} ms; "
              f"heap {heap / 1e6:.2f} MB, after 500 more cells {grown / 1e6:.2f} MB")
        # Growth with the number of cells is many times this.
        self.assertLess(late, 1.5 * early)
        self.assertLess(grown, 1.1 * heap)

    def test_interrupt_by_signal_keeps_the_kernel(self):
        manager, client = start_new_kernel(kernel_name="gibbs")
        self.addCleanup(manager.shutdown_kernel, now=True)
        client.execute_interactive("const kept = 5;", timeout=30)
        for code in ("while (true);", "await new Promise(() => {});"):
            client.execute(code)
            time.sleep(0.3)
            manager.interrupt_kernel()
            reply = client.get_shell_msg(timeout=30)
            while reply["msg_type"] != "execute_reply":
                reply = client.get_shell_msg(timeout=30)
            self.assertEqual(reply["content"]["ename"], "InterruptedError")
        results = []
        client.execute_interactive("kept", timeout=30, output_hook=results.append)
        texts = [m["content"]["data"]["text/plain"] for m in results if m["msg_type"] == "execute_result"]
        self.assertEqual(texts, ["5"])

    def test_restart_gives_a_fresh_kernel(self):
        manager, client = start_new_kernel(kernel_name="gibbs")
        self.addCleanup(manager.shutdown_kernel, now=True)
        client.execute_interactive("const gone = 1;", timeout=30)
        manager.restart_kernel(now=False)
        client.wait_for_ready(timeout=30)
        reply = client.execute_interactive("gone", timeout=30, output_hook=lambda m: None)
        self.assertEqual(reply["content"]["ename"], "ReferenceError")


if __name__ == "__main__":
    unittest.main()
