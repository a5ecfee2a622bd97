/** The TypeScript of the READMEs: all of it is checked, and what has an answer below it is run. */

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { createDatabase } from "./server.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const require = createRequire(import.meta.url);
// inside the package, so that its name resolves to what was built
const folder = mkdtempSync(join(root, "clients/typescript/dist", "readme-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Block {
	/** Where it goes: a comment in its first line says so, else its place in the page. */
	file: string;
	code: string;
	/** What it prints, where the page shows that. */
	answer: string | undefined;
}

function blocksOf(path: string): Block[] {
	const text = readFileSync(join(root, path), "utf8");
	return [...text.matchAll(/^```(tsx?)\n([\s\S]*?)^```\n(?:\n```text\n([\s\S]*?)^```\n)?/gm)].map(
		(match, index) => {
			const [, language, code = "", answer] = match;
			const file = code.match(/^\/\/ (\S+)\n/)?.[1] ?? `block-${index + 1}.${language}`;
			return { file: join(path.replaceAll("/", "-"), file), code, answer };
		},
	);
}

const pages = ["README.md", "clients/typescript/README.md"].map((path) => ({ path, blocks: blocksOf(path) }));

/** What a script of Node's prints, whether it succeeds or not. */
const node = (args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv }) =>
	promisify(execFile)(process.execPath, args, options).then(
		({ stdout }) => stdout,
		(error: { stdout: string; stderr: string }) => error.stdout + error.stderr,
	);

test("every TypeScript block is right", async () => {
	const files = pages.flatMap(({ path, blocks }) => {
		expect(blocks.length, path).toBeGreaterThan(0);
		for (const { file, code } of blocks) {
			mkdirSync(dirname(join(folder, file)), { recursive: true });
			writeFileSync(join(folder, file), `${code}\nexport {};\n`);
		}
		return blocks.map(({ file }) => file);
	});
	const config = {
		extends: join(root, "tsconfig.base.json"),
		compilerOptions: { noUnusedLocals: false, types: ["node"] },
		files,
	};
	writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
	const said = await node([require.resolve("typescript/bin/tsc"), "-p", "."], { cwd: folder });
	expect(said).toBe("");
});

describe("what the root README shows", async () => {
	const database = await createDatabase();
	const { app } = database;
	const blocks = pages[0]?.blocks.filter((block) => block.answer !== undefined) ?? [];

	test("has an answer to compare", () => expect(blocks.length).toBeGreaterThan(0));

	test.each(blocks)("$file prints what is below it", async ({ file, code, answer }) => {
		// the instant at which the page plays, and what it has made before
		await database.sql(
			`ALTER DATABASE ${database.name} SET usage_limits.test_clock = '2026-03-01 14:30:00+00'`,
		);
		await database.sql(`CREATE TABLE IF NOT EXISTS videos (id bigint PRIMARY KEY, owner text)`);
		await database.sql(`GRANT ALL ON videos TO ${app.user}`);
		const { build } = await import("esbuild");
		const bundled = join(folder, `${file}.mjs`);
		await build({
			// an application goes on; here a pool is left open
			stdin: { contents: `${code}\nprocess.exit();\n`, loader: "ts", resolveDir: folder },
			bundle: true,
			platform: "node",
			format: "esm",
			packages: "external",
			outfile: bundled,
		});
		const url = `postgres://${app.user}@localhost:${app.port}/${app.database}?host=${encodeURIComponent(app.host)}`;
		const printed = await node([bundled], { env: { ...process.env, DATABASE_URL: url } });
		expect(printed).toBe(answer);
	});
});
