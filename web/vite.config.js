// The page is served at `/` by the binary and its hashed files below `/console/assets/`; in development the API is proxied.
import { defineConfig } from "vitest/config";

const api = process.env["CLIENTELE_API"] ?? "http://127.0.0.1:8899";

export default defineConfig({
  base: "/console/",
  build: {
    target: "es2022",
    // A data: URL would need a wider content policy than `img-src 'self'`.
    assetsInlineLimit: 0,
    modulePreload: false,
  },
  server: { host: "127.0.0.1", proxy: { "/v1": api, "/docs": api, "/openapi.json": api } },
  test: { include: ["tests/**/*.test.ts"] },
});
