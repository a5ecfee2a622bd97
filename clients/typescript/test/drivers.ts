/** The databases that the package runs on, each as an application would open it. */

import { drizzle as drizzlePg } from "drizzle-orm/node-postgres";
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js";
import pg from "pg";
import postgres from "postgres";
import { afterAll } from "vitest";
import type { UsageDatabase } from "../src/index.js";
import type { TestDatabase } from "./server.js";

export interface Driver {
	db: UsageDatabase;
	/** Runs the work in a transaction, whose handle it gets, with a way to run other statements in it. */
	transaction<T>(
		work: (tx: UsageDatabase, statement: (text: string) => Promise<unknown>) => Promise<T>,
	): Promise<T>;
}

function pool(app: pg.PoolConfig): pg.Pool {
	const opened = new pg.Pool({ ...app, max: 10 });
	afterAll(() => opened.end());
	return opened;
}

function sqlOf(app: TestDatabase["app"]): postgres.Sql {
	const opened = postgres({
		host: app.host,
		port: app.port,
		user: app.user,
		database: app.database,
		onnotice: () => {},
	});
	afterAll(() => opened.end());
	return opened;
}

export const drivers: Record<string, (app: TestDatabase["app"]) => Driver> = {
	"node-postgres": (app) => {
		const db = pool(app);
		return {
			db,
			transaction: async (work) => {
				const client = await db.connect();
				try {
					await client.query("BEGIN");
					const result = await work(client, (text) => client.query(text));
					await client.query("COMMIT");
					return result;
				} catch (error) {
					await client.query("ROLLBACK");
					throw error;
				} finally {
					client.release();
				}
			},
		};
	},
	"postgres.js": (app) => {
		const db = sqlOf(app);
		return {
			db,
			transaction: <T>(work: Parameters<Driver["transaction"]>[0]) =>
				db.begin((tx) => work(tx, (text) => tx.unsafe(text))) as Promise<T>,
		};
	},
	"Drizzle over node-postgres": (app) => {
		const db = drizzlePg(pool(app));
		return { db, transaction: (work) => db.transaction((tx) => work(tx, (text) => tx.execute(text))) };
	},
	"Drizzle over postgres.js": (app) => {
		const db = drizzlePostgresJs(sqlOf(app));
		return {
			db,
			transaction: (work) => db.transaction((tx) => work(tx, (text) => Promise.resolve(tx.execute(text)))),
		};
	},
};
