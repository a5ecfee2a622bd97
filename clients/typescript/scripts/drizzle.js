/**
 * Writes src/drizzle/tables.ts, the Drizzle schema of what the extension's catalog has, or prints it:
 *
 *	node scripts/drizzle.js [--write]
 *
 * Needs a server with the extension (PGHOST, PGPORT, PGUSER): `sh test/typescript --write` brings one.
 */

import { writeFileSync } from "node:fs";
import pg from "pg";

/** Counts and ids stay below 2^53; these use all 64 bits. */
const wideBigints = new Set(["usage_counters.slot", "usage_day_marks.mark_id"]);

/** NOT NULL columns that a trigger fills where an INSERT leaves them out. */
const derived = new Set([
	"usage_limits_config.usage_type",
	"usage_limits_config.kind",
	"usage_limits_config.alignment",
]);

/** Columns of views that are never null: the catalog does not know. */
const viewNotNull = new Set(
	["id", "user_id", "usage_type", "usage_date", "count"].map((column) => `user_usage.${column}`),
);

const builders = {
	boolean: "boolean",
	date: "date",
	integer: "integer",
	interval: "interval",
	jsonb: "jsonb",
	numeric: "numeric",
	text: "text",
	uuid: "uuid",
	bytea: "bytea",
	usage_decision: "usageDecision",
	xid8: "xid8",
};

const camelCase = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());

const columnsOfRelations = `
	SELECT c.relname, c.relkind, a.attname, a.attnotnull, a.attidentity <> '' AS identity,
		regexp_replace(format_type(a.atttypid, NULL), '^.*\\.', '') AS type, t.typcategory = 'A' AS is_array,
		pg_get_expr(d.adbin, d.adrelid) AS default_expression
	FROM pg_extension e
		JOIN pg_depend m ON m.refclassid = 'pg_extension'::regclass AND m.refobjid = e.oid AND m.deptype = 'e'
		JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		JOIN pg_type t ON t.oid = a.atttypid
		LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
	WHERE e.extname = 'usage_limits' AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
	ORDER BY c.oid, a.attnum`;

const keysOfRelations = `
	SELECT c.relname, k.contype, array_agg(a.attname::text ORDER BY n.position) AS columns
	FROM pg_constraint k
		JOIN pg_class c ON c.oid = k.conrelid AND NOT c.relispartition
		JOIN pg_depend m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
			AND m.refclassid = 'pg_extension'::regclass AND m.deptype = 'e'
		JOIN pg_extension e ON e.oid = m.refobjid AND e.extname = 'usage_limits'
		CROSS JOIN unnest(k.conkey) WITH ORDINALITY n (attnum, position)
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = n.attnum
	WHERE k.contype IN ('p', 'u')
	GROUP BY c.relname, k.oid, k.contype
	ORDER BY k.oid`;

/** The default in TypeScript: a literal where it is one, else SQL. */
function defaultOf(expression, type, isWide) {
	const number = expression.match(/^'?(-?\d+)'?(::[a-z ]+)?$/)?.[1];
	if (number !== undefined && ["bigint", "integer"].includes(type)) return isWide ? `${number}n` : number;
	if (["true", "false"].includes(expression)) return expression;
	const string = expression.match(/^'([^'\\]*)'::text$/)?.[1];
	if (string !== undefined) return JSON.stringify(string);
	return `sql\`${expression.replaceAll(/\b[a-z_]+\.(?=usage_|credit_)|"[^"]+"\.(?=usage_|credit_)/g, "").replaceAll("\\", "\\\\")}\``;
}

function column(row, keys) {
	const qualified = `${row.relname}.${row.attname}`;
	const name = JSON.stringify(row.attname);
	const element = row.is_array ? row.type.replace(/\[\]$/, "") : row.type;
	let code;
	if (element === "bigint")
		code = `bigint(${name}, { mode: "${wideBigints.has(qualified) ? "bigint" : "number"}" })`;
	else if (element === "timestamp with time zone") code = `timestamp(${name}, { withTimezone: true })`;
	else if (builders[element]) code = `${builders[element]}(${name})`;
	else throw new Error(`${qualified} has type ${row.type}, which this script does not know`);
	if (row.is_array) code += ".array()";
	if (row.identity) code += ".generatedByDefaultAsIdentity()";
	const isKey = (contype) => keys.some((key) => key.contype === contype && `${key.columns}` === row.attname);
	if (isKey("p")) code += ".primaryKey()";
	else if (row.attnotnull || viewNotNull.has(qualified)) code += ".notNull()";
	if (isKey("u")) code += ".unique()";
	if (row.default_expression !== null && row.relkind !== "v")
		code += `.default(${defaultOf(row.default_expression, row.type, wideBigints.has(qualified))})`;
	else if (derived.has(qualified)) code += ".default(sql`NULL`)";
	return `\t\t${camelCase(row.attname)}: ${code},`;
}

function relation(rows, keys) {
	const [{ relname, relkind }] = rows;
	const columns = rows.map((row) => column(row, keys)).join("\n");
	const wide = keys.filter((key) => key.columns.length > 1);
	if (relkind === "v") return `view(${JSON.stringify(relname)}, {\n${columns}\n\t}).existing()`;
	const extra = wide.map((key) => {
		const list = `[${key.columns.map((name) => `t.${camelCase(name)}`).join(", ")}]`;
		return key.contype === "p" ? `primaryKey({ columns: ${list} })` : `unique().on(${list.slice(1, -1)})`;
	});
	return `table(${JSON.stringify(relname)}, {\n${columns}\n\t}${extra.length ? `, (t) => [${extra.join(", ")}]` : ""})`;
}

/** The text of src/drizzle/tables.ts for the database that the client is connected to, before Biome formats it. */
export async function drizzleTables(client) {
	const { rows } = await client.query(columnsOfRelations);
	const { rows: keys } = await client.query(keysOfRelations);
	const names = [...new Set(rows.map((row) => row.relname))];
	const bodies = names.map((name) => {
		const body = relation(
			rows.filter((row) => row.relname === name),
			keys.filter((key) => key.relname === name),
		);
		return `\tconst ${camelCase(name)} = ${body};\n`;
	});
	const used = [
		"bigint",
		"boolean",
		"date",
		"integer",
		"interval",
		"jsonb",
		"numeric",
		"primaryKey",
		"text",
		"timestamp",
		"unique",
		"uuid",
	];
	const all = bodies.join("\n");
	const imports = [
		...used.filter((name) => new RegExp(`[^.\\w]${name}\\(`).test(all)),
		"pgSchema",
		"pgTable",
		"pgView",
	].sort();
	const list = names.map(camelCase);
	return `// Written by scripts/drizzle.js from the catalog; \`sh test/typescript --write\` does it anew.

import { sql } from "drizzle-orm";
import { ${imports.join(", ")} } from "drizzle-orm/pg-core";
import { bytea, usageDecision, xid8 } from "./columns.js";

/**
 * The extension's tables and views, in the schema that it was installed into. Without a name the \`search_path\` has to
 * lead there.
 */
export function usageSchema(schema?: string) {
	const isNamed = schema !== undefined && schema !== "public";
	const table = (isNamed ? pgSchema(schema).table : pgTable) as typeof pgTable;
	const view = (isNamed ? pgSchema(schema).view : pgView) as typeof pgView;

${all}
	return { ${list.join(", ")} };
}

export const { ${list.join(", ")} } = usageSchema();
`;
}

if (import.meta.url === `file://${process.argv[1]}`) {
	const server = new pg.Client({ database: "postgres" });
	await server.connect();
	await server.query("CREATE DATABASE drizzle_schema");
	const client = new pg.Client({ database: "drizzle_schema" });
	await client.connect();
	await client.query("CREATE EXTENSION usage_limits");
	const text = await drizzleTables(client);
	await client.end();
	await server.query("DROP DATABASE drizzle_schema");
	await server.end();
	if (process.argv[2] === "--write")
		writeFileSync(new URL("../src/drizzle/tables.ts", import.meta.url), text);
	else process.stdout.write(text);
}
