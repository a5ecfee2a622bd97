/** Calls of the extension's SQL functions: arguments by name, answers as JSON. */

import { type Parameter, run, type UsageDatabase } from "./database.js";

export interface UsageOptions {
	/** The schema that the extension is in. Without one, the `search_path` has to lead to it. */
	schema?: string | undefined;
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The value of a function's argument; undefined leaves it to the function's default. */
type Value = string | number | bigint | boolean | Date | object | null | undefined;

/** The types of arguments, by the names that our functions give them. */
const types: Record<string, string> = {
	amount: "bigint",
	tokens_used: "bigint",
	credits_used: "bigint",
	duration_ms: "bigint",
	delta: "bigint",
	value: "bigint",
	new_value: "bigint",
	burst: "bigint",
	event_id: "bigint",
	transaction_id: "bigint",
	grant_id: "bigint",
	max_rollover: "bigint",
	min_events: "bigint",
	days: "integer",
	max_rows: "integer",
	priority: "integer",
	threshold: "numeric",
	metadata: "jsonb",
	items: "jsonb",
	occurred_at: "timestamptz",
	started_at: "timestamptz",
	starts_at: "timestamptz",
	ends_at: "timestamptz",
	expires_at: "timestamptz",
	effective_at: "timestamptz",
	anchor_at: "timestamptz",
	event_at: "timestamptz",
	at: "timestamptz",
	project_id: "uuid",
	scene_id: "uuid",
	ttl: "interval",
	period: "interval",
	recurs_every: "interval",
	session_bound: "boolean",
	throw_on_exceed: "boolean",
	throw_on_insufficient: "boolean",
};

const camelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

function encode(name: string, type: string, value: Exclude<Value, undefined>): Parameter {
	if (value === null) return null;
	switch (type) {
		case "bigint":
		case "integer":
			// a measured duration has fractions; any other number with one is a mistake
			if (typeof value === "number") {
				const whole = name === "duration_ms" ? Math.round(value) : value;
				if (!Number.isSafeInteger(whole))
					throw new RangeError(`${camelCase(name)} must be a whole number: ${value}`);
				return String(whole);
			}
			return String(value);
		case "jsonb":
			return JSON.stringify(value);
		case "timestamptz":
			return value instanceof Date ? value.toISOString() : String(value);
		case "interval":
			return typeof value === "number" ? `${value} seconds` : String(value);
		default:
			return String(value);
	}
}

const quoteIdentifier = (name: string) => `"${name.replaceAll('"', '""')}"`;

/**
 * Calls a function and returns its rows: objects for what returns rows, plain values for what returns one value.
 * Names and types are ours; values are parameters. `withNow` adds the server's now to an object, as `now`.
 */
export async function call(
	db: UsageDatabase,
	options: UsageOptions,
	name: string,
	args: Record<string, Value>,
	{ withNow = false } = {},
): Promise<Json[]> {
	const params: Parameter[] = [];
	const list: string[] = [];
	for (const [argument, value] of Object.entries(args)) {
		if (value === undefined) continue;
		const type = types[argument] ?? "text";
		params.push(encode(argument, type, value));
		list.push(`"${argument}" => $${params.length}::text${type === "text" ? "" : `::${type}`}`);
	}
	const prefix = options.schema === undefined ? "" : `${quoteIdentifier(options.schema)}.`;
	const now = `pg_catalog.jsonb_build_object('now', ${prefix}usage_now())`;
	const answer = `pg_catalog.to_jsonb(d)${withNow ? ` OPERATOR(pg_catalog.||) ${now}` : ""}`;
	// as text, since drivers can be told to parse jsonb in other ways, or not at all
	const rows = await run(
		db,
		`SELECT (${answer})::text AS d FROM ${prefix}${name}(${list.join(", ")}) d`,
		params,
	);
	return rows.map((row) => (row.d === null ? null : (JSON.parse(row.d as string) as Json)));
}

/** Names of our columns that hold an instant. */
const isInstant = (name: string) => /_at$|At$|^last_used$|^window_(start|end)$/.test(name);

/** An instant as PostgreSQL writes it into JSON; `infinity` becomes the last instant that a Date can hold. */
export function toDate(text: string): Date {
	if (text === "infinity") return new Date(8.64e15);
	if (text === "-infinity") return new Date(-8.64e15);
	return new Date(text);
}

/** A row with camelCase keys and Dates. */
export function toObject<T>(row: Json | undefined): T {
	const object: Record<string, unknown> = {};
	for (const [name, value] of Object.entries((row ?? {}) as Record<string, Json>))
		object[camelCase(name)] = typeof value === "string" && isInstant(name) ? toDate(value) : value;
	return object as T;
}
