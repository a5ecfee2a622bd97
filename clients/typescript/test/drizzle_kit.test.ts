import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { UsageTracker } from "../src/index.js";
import { createDatabase } from "./server.js";

const folder = fileURLToPath(new URL("./fixtures/drizzle-kit/", import.meta.url));
const bin = join(dirname(createRequire(import.meta.url).resolve("drizzle-kit")), "bin.cjs");
const out = mkdtempSync(join(tmpdir(), "drizzle-kit-"));
afterAll(() => rmSync(out, { recursive: true }));

const database = await createDatabase();
const usage = new UsageTracker(database.admin);

/** What the tools must leave alone: every relation of the extension's schema, and what is in it. */
const inventory = async () => ({
	relations: await database.sql(
		"SELECT c.relname, c.relkind FROM pg_class c WHERE c.relnamespace = 'usage'::regnamespace ORDER BY 1",
	),
	partitions: await database.sql(
		"SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'usage_events'::regclass ORDER BY 1",
	),
	events: await database.sql("SELECT count(*)::int, sum(amount)::int FROM usage_events"),
	config: await database.sql("SELECT limit_type, free_tier_limit FROM usage_limits_config ORDER BY 1"),
});
const inPublic = async () =>
	(
		await database.sql(
			"SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1",
		)
	).map((row) => row.relname);

async function drizzleKit(args: string[], schema = "schema.ts") {
	const { stdout, stderr } = await promisify(execFile)(
		process.execPath,
		[bin, ...args, "--config=drizzle.config.ts"],
		{
			cwd: folder,
			env: {
				...process.env,
				PGDATABASE: database.name,
				TEST_SCHEMA: `./${schema}`,
				// absolute names are not taken
				TEST_OUT: relative(folder, out),
			},
			timeout: 50_000,
		},
	);
	return stdout + stderr;
}

test("drizzle-kit push --force and pull leave the extension as it is", async () => {
	await database.sql("SELECT usage_maintain()");
	for (let i = 0; i < 5; i++) await usage.trackUsage({ userId: "ann", usageType: "prompt", amount: i + 1 });
	const before = await inventory();
	expect(before.partitions.length).toBeGreaterThan(12);
	expect(before.events).toEqual([{ count: 5, sum: 15 }]);

	await drizzleKit(["push", "--force"]);
	expect(await inPublic()).toEqual(["projects", "users"]);
	expect(await inventory()).toEqual(before);

	// tables of ours beside the application's, for queries: nothing is made of them
	await drizzleKit(["push", "--force"], "schema_with_usage.ts");
	expect(await inPublic()).toEqual(["projects", "users"]);
	expect(await inventory()).toEqual(before);

	await drizzleKit(["pull"]);
	expect(readdirSync(out)).toContain("schema.ts");
	const pulled = readFileSync(join(out, "schema.ts"), "utf8");
	expect([...pulled.matchAll(/pgTable\("(\w+)"/g)].map((match) => match[1]).sort()).toEqual([
		"projects",
		"users",
	]);
	expect(await inventory()).toEqual(before);

	expect(await usage.consume({ userId: "ann", usageType: "prompt" })).toMatchObject({ allowed: false });
});
