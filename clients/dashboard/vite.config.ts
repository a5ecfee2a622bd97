import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
	plugins: [react()],
	build: {
		outDir: "dist/web",
		target: "es2022",
		// the charts are half of it
		chunkSizeWarningLimit: 1200,
	},
	test: {
		include: ["test/**/*.test.ts"],
		testTimeout: 60_000,
		hookTimeout: 60_000,
		// one server and one database: the files run one after another
		fileParallelism: false,
	},
});
