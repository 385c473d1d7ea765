"""Jupyter's own kernel tests. The pager does not apply: `payload` is deprecated and never used."""

import unittest

import jupyter_kernel_test

# A busy machine takes its time to read the libraries of the type checker.
jupyter_kernel_test.TIMEOUT = 90


class GibbsKernelTests(jupyter_kernel_test.KernelTests):
    kernel_name = "gibbs"
    language_name = "typescript"
    file_extension = ".ts"

    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('problem')"

    completion_samples = [
        {"text": "conso", "matches": {"console"}},
        {"text": "Math.sqr", "matches": {"sqrt"}},
    ]

    complete_code_samples = [
        "1",
        "const x: number = 1;",
        "function f() { return 1 }",
        "`text`",
        "class A { x = 1 }",
    ]
    incomplete_code_samples = [
        "function f() {",
        "const x = [1,",
        "`text",
        "if (true) {",
        "foo(",
        "/* comment",
    ]
    invalid_code_samples = ["const x: = 3;", ") 1", "let 1 = 2"]

    code_generate_error = "throw new Error('on purpose')"

    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "'a' + 'b'", "result": "'ab'"},
        {"code": "await Promise.resolve([1, 2])", "result": "[ 1, 2 ]"},
    ]

    code_display_data = [
        {"code": "display.html('<b>bold</b>')", "mime": "text/html"},
        {"code": "display.png(new Uint8Array([137, 80, 78, 71]))", "mime": "image/png"},
        {"code": "display.markdown('*text*')", "mime": "text/markdown"},
    ]

    code_inspect_sample = "Math.max"
    code_clear_output = "display.clear()"

    code_history_pattern = "6*"
    supported_history_operations = ("tail", "range", "search")


if __name__ == "__main__":
    unittest.main()
