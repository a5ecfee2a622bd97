import { defineConfig } from "vitest/config";

export default defineConfig({
	test: {
		include: ["test/**/*.test.{ts,tsx}"],
		// files run beside one another, each with a database of its own
		testTimeout: 240_000,
		hookTimeout: 240_000,
	},
});
