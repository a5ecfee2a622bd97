import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** The package's source, so that it need not be built first. */
const usageLimits = fileURLToPath(new URL("../typescript/src/", import.meta.url));

export default defineConfig(({ isSsrBuild }) => ({
	plugins: [react()],
	resolve: {
		alias: { "usage-limits/react": `${usageLimits}react/index.ts` },
		dedupe: ["react", "react-dom"],
	},
	build: {
		outDir: "dist/web",
		// the page's files are none of the server's
		copyPublicDir: !isSsrBuild,
		target: "es2022",
		// the charts are half of it
		chunkSizeWarningLimit: 1200,
	},
	test: {
		include: ["test/**/*.test.ts"],
		// what hangs is to be seen, and a busy machine is slow
		testTimeout: 240_000,
		hookTimeout: 120_000,
		// one server and one database: the files run one after another
		fileParallelism: false,
	},
}));
