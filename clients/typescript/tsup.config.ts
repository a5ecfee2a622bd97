import { defineConfig, type Options } from "tsup";

const common: Options = {
	format: ["esm", "cjs"],
	dts: true,
	sourcemap: true,
	target: "es2022",
};

export default defineConfig([
	{
		...common,
		entry: ["src/index.ts", "src/drizzle/index.ts", "src/trpc/index.ts", "src/http/index.ts"],
	},
	{
		...common,
		entry: { "react/index": "src/react/index.ts" },
		// for frameworks with server components
		banner: { js: '"use client";' },
	},
]);
