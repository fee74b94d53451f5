// Type-aware rules that catch what the compiler lets through, and the rule that keeps the console free of markup from data.
import tseslint from "typescript-eslint";

const intoMarkup = "Data is rendered as text: build elements with `h` or `svg` of src/dom.ts.";

export default tseslint.config(
  { ignores: ["dist", "node_modules"] },
  {
    files: ["src/**/*.ts", "tests/**/*.ts"],
    extends: [...tseslint.configs.strict],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "no-eval": "error",
      "no-restricted-properties": [
        "error",
        ...["innerHTML", "outerHTML", "insertAdjacentHTML"].map((property) => ({ property, message: intoMarkup })),
        { object: "document", property: "write", message: intoMarkup },
      ],
    },
  },
);
