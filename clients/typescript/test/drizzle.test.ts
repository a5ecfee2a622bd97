import { desc, eq, is } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { getTableConfig, getViewConfig, PgTable, PgView } from "drizzle-orm/pg-core";
import { describe, expect, test } from "vitest";
import * as exported from "../src/drizzle/index.js";
import { UsageTracker } from "../src/index.js";
import { createDatabase } from "./server.js";

const { usageSchema, usageEvents, usageLimitsConfig, userSubscriptions, userUsage } = exported;
const schema = 'Weird "schema"';
const database = await createDatabase();
const elsewhere = await createDatabase({ schema, searchPath: false });
const db = drizzle(database.admin);

/** name, type, not null, has a default: a line a column. */
const catalogColumns = (relkinds: string[]) =>
	database.sql(
		`SELECT c.relname AS relation, a.attname AS name, format_type(a.atttypid, NULL) AS type, a.attnotnull AS "notNull",
			a.atthasdef OR a.attidentity <> '' AS "hasDefault"
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relnamespace = 'usage'::regnamespace AND c.relkind = ANY ($1) AND NOT c.relispartition
		ORDER BY 1, 2`,
		[relkinds],
	);

const byRelationAndName = (a: { relation: string; name: string }, b: { relation: string; name: string }) =>
	a.relation < b.relation || (a.relation === b.relation && a.name < b.name) ? -1 : 1;

const tables = Object.values(usageSchema("usage")).filter((entry) => is(entry, PgTable)) as PgTable[];
const views = Object.values(usageSchema("usage")).filter((entry) => is(entry, PgView)) as PgView[];

describe("the schema is the catalog's (`sh test/typescript --write` makes it so)", () => {
	test("tables and columns", async () => {
		// columns that a trigger fills may be left out of an INSERT as if they had a default
		const derived = ["usage_type", "kind", "alignment"];
		const ours = tables.flatMap((table) => {
			const config = getTableConfig(table);
			expect(config.schema).toBe("usage");
			return config.columns.map((column) => ({
				relation: config.name,
				name: column.name,
				type: column.getSQLType().replace(/^interval.*/, "interval"),
				notNull: column.notNull,
				hasDefault:
					config.name === "usage_limits_config" && derived.includes(column.name)
						? false
						: column.hasDefault || column.generatedIdentity !== undefined,
			}));
		});
		const theirs = await catalogColumns(["r", "p"]);
		const lines = (rows: object[]) => rows.map((row) => Object.values(row).join(" ")).sort();
		expect(lines(ours)).toEqual(lines(theirs));
	});

	test("primary keys and unique columns", async () => {
		const theirs = await database.sql(
			`SELECT c.relname AS relation, k.contype AS kind, array_agg(a.attname::text ORDER BY n.position) AS columns
			FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
				CROSS JOIN unnest(k.conkey) WITH ORDINALITY n (attnum, position)
				JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = n.attnum
			WHERE k.contype IN ('p', 'u') AND c.relnamespace = 'usage'::regnamespace AND NOT c.relispartition
			GROUP BY c.relname, k.oid, k.contype`,
		);
		const ours = tables.flatMap((table) => {
			const config = getTableConfig(table);
			const key = (kind: string, columns: string[]) => ({ relation: config.name, kind, columns });
			return [
				...config.columns.filter((column) => column.primary).map((column) => key("p", [column.name])),
				...config.columns.filter((column) => column.isUnique).map((column) => key("u", [column.name])),
				...config.primaryKeys.map(({ columns }) =>
					key(
						"p",
						columns.map((column) => column.name),
					),
				),
				...config.uniqueConstraints.map(({ columns }) =>
					key(
						"u",
						columns.map((column) => column.name),
					),
				),
			];
		});
		const text = (keys: unknown[]) => keys.map((key) => JSON.stringify(key)).sort();
		expect(text(ours)).toEqual(text(theirs));
	});

	test("views", async () => {
		const ours = views.flatMap((view) => {
			const config = getViewConfig(view);
			return Object.values(config.selectedFields).map((column) => ({
				relation: config.name,
				name: (column as { name: string }).name,
				type: (column as { getSQLType(): string }).getSQLType(),
			}));
		});
		const theirs = (await catalogColumns(["v"])).map(({ relation, name, type }) => ({
			relation,
			name,
			type,
		}));
		expect(ours.sort(byRelationAndName)).toEqual(theirs);
	});

	test("every table and view is exported by its name", () => {
		expect(Object.keys(exported).sort()).toEqual([...Object.keys(usageSchema()), "usageSchema"].sort());
	});
});

test("inserts a limit as the seed does, and reads numbers and Dates", async () => {
	await db
		.insert(usageLimitsConfig)
		.values([
			{ limitType: "scans_daily", freeTierLimit: 10, proTierLimit: 100, description: "Scans per day" },
		]);
	const [limit] = await db
		.select()
		.from(usageLimitsConfig)
		.where(eq(usageLimitsConfig.limitType, "scans_daily"));
	expect(limit).toMatchObject({
		id: expect.any(Number),
		freeTierLimit: 10,
		teamTierLimit: -1,
		usageType: "scan",
		kind: "counter",
		period: "1 day",
		isActive: true,
		createdAt: expect.any(Date),
	});
	await db.insert(userSubscriptions).values({ userId: "ann", tier: "pro", metadata: { plan: 1 } });

	await new UsageTracker(db).trackUsage({
		userId: "ann",
		usageType: "scan",
		amount: 2,
		metadata: { a: [1] },
	});
	const [event] = await db
		.select()
		.from(usageEvents)
		.where(eq(usageEvents.userId, "ann"))
		.orderBy(desc(usageEvents.id));
	expect(event).toMatchObject({
		amount: 2,
		metadata: { a: [1] },
		createdAt: expect.any(Date),
		status: "success",
	});
	const [day] = await db.select().from(userUsage).where(eq(userUsage.userId, "ann"));
	expect(day).toMatchObject({
		usageType: "scan",
		count: 2,
		usageDate: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
	});
	const [counter] = await db.select().from(exported.usageCounters);
	expect(counter).toMatchObject({ slot: 0n, amount: 2 });
});

test("reads tables in a schema that no search_path leads to", async () => {
	const named = usageSchema(schema);
	const other = drizzle(elsewhere.admin);
	await other.insert(named.usageActions).values({ action: "scan_page", usageType: "scan" });
	expect(
		await other.select().from(named.usageActions).where(eq(named.usageActions.action, "scan_page")),
	).toEqual([{ action: "scan_page", usageType: "scan", amount: 1 }]);
	expect(await other.select().from(named.userUsage)).toEqual([]);
	expect(usageSchema("public").usageActions).toBeDefined();
});
