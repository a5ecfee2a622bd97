/**
 * What the package can run on: node-postgres, postgres.js, a Drizzle database over either, or a transaction of
 * one of them. Told apart by their shape, so that none of them has to be installed.
 */

/** node-postgres: a Pool, a Client or a PoolClient; anything else with the same `query` works as well. */
export interface NodePostgresLike {
	query(text: string, values: unknown[]): Promise<{ rows: unknown[] }>;
}

/** postgres.js: `sql`, or the `sql` that `sql.begin` passes. */
export interface PostgresJsLike {
	unsafe(query: string, parameters: string[]): PromiseLike<unknown>;
}

/** Drizzle: a database, or the `tx` that `db.transaction` passes. */
export interface DrizzleLike {
	execute(query: DrizzleStatement): PromiseLike<unknown>;
}

/** Drizzle's SQLWrapper, as far as `execute` looks at it. */
export interface DrizzleStatement {
	// biome-ignore lint/suspicious/noExplicitAny: Drizzle's SQL, a class that only drizzle-orm can name
	getSQL(): any;
}

export type UsageDatabase = NodePostgresLike | PostgresJsLike | DrizzleLike;

/** Every parameter travels as text and is cast in the statement: drivers differ in how they encode the rest. */
export type Parameter = string | null;

function drizzleStatement(text: string, params: Parameter[]): DrizzleStatement {
	const statement = {
		// Drizzle asks an SQL object for the query that a driver understands: this one is such a query already
		toQuery: () => ({ sql: text, params }),
		getSQL: () => statement,
		shouldOmitSQLParens: () => true,
	};
	return statement;
}

function has<Name extends string>(value: unknown, name: Name): boolean {
	return (
		((typeof value === "object" && value !== null) || typeof value === "function") &&
		typeof (value as Record<Name, unknown>)[name] === "function"
	);
}

/** Runs a statement and returns its rows. Whatever the driver throws comes through as it is. */
export async function run(
	db: UsageDatabase,
	text: string,
	params: Parameter[],
): Promise<Record<string, unknown>[]> {
	let result: unknown;
	if (has(db, "unsafe")) result = await (db as PostgresJsLike).unsafe(text, params as string[]);
	else if (has(db, "execute")) result = await (db as DrizzleLike).execute(drizzleStatement(text, params));
	else if (has(db, "query")) result = await (db as NodePostgresLike).query(text, params);
	else
		throw new TypeError("expected a node-postgres, postgres.js or Drizzle database, or a transaction of one");
	return (Array.isArray(result) ? result : (result as { rows: unknown[] }).rows) as Record<string, unknown>[];
}
