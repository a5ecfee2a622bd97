/** The package as it is published: what `npm run build` has made. */

import { execFile } from "node:child_process";
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

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

describe("what npm packs, in an application of its own", () => {
	const app = mkdtempSync(join(tmpdir(), "usage-limits-app-"));
	const modules = join(app, "node_modules");
	afterAll(() => rmSync(app, { recursive: true }));
	const run = async (command: string, args: string[], cwd = app) =>
		(await promisify(execFile)(command, args, { cwd })).stdout;
	const node = (...args: string[]) => run(process.execPath, args);
	/** The names that an entry exports, as ESM and as CommonJS. */
	const load = async (entry: string) => {
		const name = JSON.stringify(specifier(entry));
		const say = "console.log(Object.keys(all).filter((name) => !/^__|^default$/.test(name)).sort().join())";
		return [
			await node("--input-type=module", "--eval", `import * as all from ${name}; ${say}`),
			await node("--input-type=commonjs", "--eval", `const all = require(${name}); ${say}`),
		];
	};

	/** Puts a package of the workspace into the application, as installing it would. */
	function provide(name: string): void {
		if (existsSync(join(modules, name))) return;
		const folder = require.resolve
			.paths(name)
			?.map((path) => join(path, name))
			.find((path) => existsSync(path));
		mkdirSync(dirname(join(modules, name)), { recursive: true });
		symlinkSync(folder as string, join(modules, name));
	}

	beforeAll(async () => {
		const packed = await run("npm", ["pack", "--ignore-scripts", "--pack-destination", app], root);
		mkdirSync(join(modules, "usage-limits"), { recursive: true });
		await run("tar", ["-xzf", packed.trim(), "-C", join(modules, "usage-limits"), "--strip-components=1"]);
	});

	test("has what is built and the README, no sources and no tests", () => {
		expect(readdirSync(join(modules, "usage-limits")).sort()).toEqual(["README.md", "dist", "package.json"]);
		expect(readFileSync(join(modules, "usage-limits/dist/react/index.js"), "utf8")).toMatch(/^"use client";/);
	});

	test.each([".", "./http"])("%s needs nothing installed beside it", async (entry) => {
		const [esm, cjs] = await load(entry);
		expect(esm).toContain(entry === "." ? "UsageTracker" : "limitRoute");
		expect(cjs).toBe(esm);
	});

	test.each(Object.entries({ drizzle: "drizzle-orm", trpc: "@trpc/server", react: "react" }))(
		"./%s needs %s, and nothing else",
		async (entry, peer) => {
			await expect(load(`./${entry}`)).rejects.toThrow(/Cannot find (package|module)/);
			provide(peer);
			const [esm, cjs] = await load(`./${entry}`);
			expect(esm?.length).toBeGreaterThan(2);
			expect(cjs).toBe(esm);
		},
	);

	test.each([
		["node16", "node16", ["use.mts", "use.cts"]],
		["bundler", "esnext", ["use.ts"]],
		["node10", "commonjs", ["use.ts"]],
	] as const)("is typed where moduleResolution is %s", async (moduleResolution, module, files) => {
		for (const name of ["drizzle-orm", "@trpc/server", "react", "@types/react"]) provide(name);
		const use = `
			import { UsageTracker, type UsageDecision } from "usage-limits";
			import { usageSchema } from "usage-limits/drizzle";
			import { limitRoute, rateLimitHeaders } from "usage-limits/http";
			import { UsageDisplay, useUsageLimits } from "usage-limits/react";
			import { usageProcedures } from "usage-limits/trpc";
			export const usage = (db: ConstructorParameters<typeof UsageTracker>[0]) => new UsageTracker(db);
			export const headers = (decision: UsageDecision): Record<string, string> => rateLimitHeaders(decision);
			export const { usageEvents } = usageSchema("usage");
			export const all = [limitRoute, UsageDisplay, useUsageLimits, usageProcedures];
			// @ts-expect-error a number is no string
			export const wrong = (decision: UsageDecision): string => decision.limit;
		`;
		for (const file of files) writeFileSync(join(app, file), use);
		const compilerOptions = {
			...{ noEmit: true, strict: true, exactOptionalPropertyTypes: true, target: "es2022" },
			// our declarations are checked too, and need no types of Node's
			...{ skipLibCheck: false, types: [], lib: ["es2022", "dom"], moduleResolution, module },
		};
		writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
		const said = await node(require.resolve("typescript/bin/tsc"), "-p", ".").catch(
			(error: unknown) => (error as { stdout: string }).stdout,
		);
		// what is wrong in the declarations of others is theirs
		expect(said.split("\n").filter((line) => /^(use\.|node_modules\/usage-limits\/)/.test(line))).toEqual([]);
	});
});
