/** Databases for tests, on the server that PGHOST, PGPORT and PGUSER name; see test/typescript at the root. */

import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll } from "vitest";

export interface TestDatabase {
	name: string;
	/** How the application connects: a role with the part `app`. */
	app: pg.PoolConfig & { host: string; port: number; user: string; database: string };
	/** The superuser. */
	admin: pg.Pool;
	/** A query of the superuser: its rows. */
	sql(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
}

const host = process.env.PGHOST;
if (!host)
	throw new Error("These tests need a server with the extension: run them by `sh test/run typescript`.");
const port = Number(process.env.PGPORT ?? 5432);
const user = process.env.PGUSER ?? "postgres";

export interface DatabaseOptions {
	/** The extension's schema, by default `usage`. */
	schema?: string;
	/** Whether the search_path leads there, by default true. */
	searchPath?: boolean;
}

/** A new database with the extension, the default limits and actions, and a role for the application. */
export async function createDatabase({ schema = "usage", searchPath = true }: DatabaseOptions = {}) {
	const name = `test_${randomBytes(6).toString("hex")}`;
	const server = new pg.Pool({ host, port, user, database: "postgres", max: 1 });
	await server.query(`CREATE DATABASE ${name}`);
	await server.query(`CREATE ROLE ${name} LOGIN`);
	const admin = new pg.Pool({ host, port, user, database: name, max: 4 });
	const quoted = `"${schema.replaceAll('"', '""')}"`;
	await admin.query(`CREATE SCHEMA IF NOT EXISTS ${quoted}; CREATE EXTENSION usage_limits SCHEMA ${quoted}`);
	if (searchPath) {
		await admin.query(`ALTER DATABASE ${name} SET search_path = public, ${quoted}`);
		await admin.query(`SET search_path = public, ${quoted}`);
	}
	await admin.query(`GRANT USAGE ON SCHEMA ${quoted} TO ${name}`);
	await admin.query(`SELECT ${quoted}.usage_install_defaults(), ${quoted}.usage_grant('${name}', 'app')`);
	const database: TestDatabase = {
		name,
		app: { host: host as string, port, user: name, database: name },
		admin,
		sql: async (text, values) => (await admin.query(text, values)).rows,
	};
	afterAll(async () => {
		await admin.end();
		await server.query(`DROP DATABASE IF EXISTS ${name}`);
		await server.query(`DROP ROLE IF EXISTS ${name}`).catch(() => {});
		await server.end();
	});
	return database;
}
