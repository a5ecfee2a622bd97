/** The package as it is published: what `npm run build` has made. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const entries = Object.keys(manifest.exports).filter((entry) => entry !== "./package.json");
const require = createRequire(import.meta.url);

// inside the package, so that its name resolves to itself
const folder = mkdtempSync(join(root, "dist", "test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const specifier = (entry: string) => `usage-limits${entry.slice(1)}`;

describe.each(entries)("%s", (entry) => {
	test("loads as ESM and as CommonJS, with the same exports", async () => {
		const esm = (await import(specifier(entry))) as Record<string, unknown>;
		const cjs = require(specifier(entry)) as Record<string, unknown>;
		expect(Object.keys(esm).sort()).toEqual(
			Object.keys(cjs)
				.filter((name) => name !== "__esModule")
				.sort(),
		);
		expect(Object.keys(esm).length).toBeGreaterThan(0);
	});

	test("imports peer dependencies only", async () => {
		const { metafile } = await build({
			stdin: { contents: `export * from "${specifier(entry)}"`, resolveDir: folder },
			bundle: true,
			write: false,
			format: "esm",
			metafile: true,
			packages: "bundle",
			external: Object.keys(manifest.peerDependencies).flatMap((name) => [name, `${name}/*`]),
			logLevel: "silent",
		});
		expect(Object.keys(metafile.inputs).filter((file) => file.includes("node_modules"))).toEqual([]);
	});
});

test("every file that the manifest names is there, and nothing is needed to run", () => {
	for (const entry of entries)
		for (const condition of Object.values(manifest.exports[entry] as Record<string, Record<string, string>>))
			for (const file of Object.values(condition)) expect(existsSync(join(root, file)), file).toBe(true);
	expect(manifest.dependencies).toBeUndefined();
	for (const peer of Object.keys(manifest.peerDependencies))
		expect(manifest.peerDependenciesMeta[peer]).toEqual({ optional: true });
});

test("an unused class is shaken off", async () => {
	const { outputFiles } = await build({
		stdin: {
			contents: 'import { UsageLimitError } from "usage-limits"; console.log(UsageLimitError)',
			resolveDir: folder,
		},
		bundle: true,
		write: false,
		format: "esm",
		minify: true,
	});
	const text = outputFiles[0]?.text ?? "";
	expect(text).toContain("UsageLimitError");
	expect(text).not.toMatch(/usage_top_users|usage_consume|credit_grant/);
});

test("is typed for ESM and CommonJS as Node and older tools resolve it", () => {
	const use = `
		import { UsageTracker, type UsageDecision } from "usage-limits";
		import { usageSchema } from "usage-limits/drizzle";
		export const usage = (db: ConstructorParameters<typeof UsageTracker>[0]) => new UsageTracker(db);
		export const limit = (decision: UsageDecision): number => decision.limit;
		export const { usageEvents } = usageSchema("usage");
		// @ts-expect-error a number is no string
		export const wrong = (decision: UsageDecision): string => decision.limit;
	`;
	writeFileSync(join(folder, "use.mts"), use);
	writeFileSync(join(folder, "use.cts"), use);
	writeFileSync(join(folder, "use.ts"), use);
	const tsc = (moduleResolution: string, module: string, files: string[]) =>
		execFileSync(
			process.execPath,
			[
				require.resolve("typescript/bin/tsc"),
				...["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022"],
				...["--moduleResolution", moduleResolution, "--module", module, ...files],
			],
			{ cwd: folder, encoding: "utf8", stdio: "pipe" },
		);
	expect(tsc("node16", "node16", ["use.mts", "use.cts"])).toBe("");
	expect(tsc("node10", "commonjs", ["use.ts"])).toBe("");
});
