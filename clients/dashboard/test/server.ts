/**
 * What the tests run on: a database of their own on the server that the PG*
 * variables name, and the dashboard as users start it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { fillWithDemoData } from "../src/server/demo";

const cli = fileURLToPath(new URL("../dist/server/cli.js", import.meta.url));

/** In the database's URL, and to be seen nowhere else. */
export const password = "never-to-be-seen";
export const adminToken = "token-of-the-administrators";
export const userSecret = "secret-that-signs-the-tokens-of-users";

/** When the tests take place: a Friday evening. */
export const friday = "2026-03-13 20:00:00+00";

pg.types.setTypeParser(pg.types.builtins.INT8, Number);
pg.types.setTypeParser(pg.types.builtins.NUMERIC, Number);
pg.types.setTypeParser(pg.types.builtins.DATE, (text) => text);

export type Row = Record<string, unknown>;

/** A database with the extension in a schema, and one superuser's connection to it. */
export class TestDatabase {
	private constructor(
		readonly name: string,
		private readonly admin: pg.Client,
		readonly client: pg.Client,
	) {}

	static async create(name: string, schema = "usage"): Promise<TestDatabase> {
		const admin = new pg.Client({ database: "postgres" });
		await admin.connect();
		await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
		await admin.query(`CREATE DATABASE ${name}`);
		const client = new pg.Client({ database: name });
		await client.connect();
		const quoted = pg.escapeIdentifier(schema);
		await client.query(`CREATE SCHEMA ${quoted}; CREATE EXTENSION usage_limits SCHEMA ${quoted}`);
		await client.query(`SET search_path = ${quoted}, public; SET TimeZone = 'UTC'`);
		return new TestDatabase(name, admin, client);
	}

	/** Without what this session has done and has not reported yet. */
	async resetStatistics(): Promise<void> {
		await this.client.query("SELECT pg_stat_force_next_flush()");
		await this.client.query("SELECT pg_stat_reset()");
	}

	/** A role that may log in, with a part of usage_grant or none. */
	async role(name: string, part?: string): Promise<void> {
		await this.admin.query(`DROP ROLE IF EXISTS ${name}`);
		await this.admin.query(`CREATE ROLE ${name} LOGIN PASSWORD '${password}'`);
		if (part) await this.client.query("SELECT usage_grant($1, $2)", [name, part]);
	}

	/** Sets what every session takes for now, from its next statement on. */
	async setClock(at: string): Promise<void> {
		await this.client.query("LOAD 'usage_limits'");
		await this.client.query(`ALTER SYSTEM SET usage_limits.test_clock = '${at}'`);
		await this.client.query("SELECT pg_reload_conf()");
		for (;;) {
			const { now } = await this.one<{ now: Date }>("SELECT usage_now() AS now");
			if (now.getTime() === new Date(at).getTime()) return;
		}
	}

	async rows<T extends Row>(text: string, values: unknown[] = []): Promise<T[]> {
		return (await this.client.query(text, values)).rows as T[];
	}

	async one<T extends Row>(text: string, values: unknown[] = []): Promise<T> {
		const [row] = await this.rows<T>(text, values);
		if (!row) throw new Error(`no row: ${text}`);
		return row;
	}

	url(role: string): string {
		const host = process.env.PGHOST ?? "localhost";
		const port = process.env.PGPORT ?? "5432";
		return host.startsWith("/")
			? `postgresql://${role}:${password}@/${this.name}?host=${encodeURIComponent(host)}&port=${port}`
			: `postgresql://${role}:${password}@${host}:${port}/${this.name}`;
	}

	async fill(): Promise<void> {
		const user = process.env.PGUSER ?? "postgres";
		await fillWithDemoData(this.url(user), () => {});
	}

	async close(): Promise<void> {
		await this.client.end();
		await this.admin.query(`DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`);
		await this.admin.end();
	}
}

/** The dashboard's process. */
export class Dashboard {
	readonly origin: string;
	private constructor(
		private readonly process: ChildProcess,
		address: string,
		private readonly folder: string,
		private readonly said: string[],
	) {
		this.origin = address.replace(/\/$/, "");
	}

	/** Starts it on a free port; {token}, {secret} stand for files with them. */
	static async start(databaseUrl: string, options: string[] = []): Promise<Dashboard> {
		const folder = mkdtempSync(join(tmpdir(), "dashboard-"));
		const file = (name: string, text: string) => {
			const path = join(folder, name);
			writeFileSync(path, `${text}\n`);
			return path;
		};
		const args = options.map((option) =>
			option === "{token}"
				? file("token", adminToken)
				: option === "{secret}"
					? file("secret", userSecret)
					: option,
		);
		const child = spawn(process.execPath, [cli, "--port", "0", ...args], {
			env: { ...process.env, DATABASE_URL: databaseUrl },
			stdio: ["ignore", "pipe", "pipe"],
		});
		const said: string[] = [];
		const address = await new Promise<string>((resolve, reject) => {
			const hear = (text: Buffer) => {
				said.push(text.toString());
				const found = /is at (\S+)/.exec(said.join(""))?.[1];
				if (found) resolve(found);
			};
			child.stdout.on("data", hear);
			child.stderr.on("data", hear);
			child.on("exit", (code) => reject(new Error(`the dashboard ended with ${code}: ${said.join("")}`)));
		});
		return new Dashboard(child, address, folder, said);
	}

	get output(): string {
		return this.said.join("");
	}

	/** Calls a procedure as the page does. */
	async call(procedure: string, input: unknown, headers: Record<string, string> = {}): Promise<Response> {
		return fetch(`${this.origin}/api/trpc/${procedure}`, {
			method: "POST",
			headers: { "Content-Type": "application/json", ...headers },
			body: JSON.stringify(input),
		});
	}

	/** The answer of a procedure; an error where it refuses. */
	async ask<T>(procedure: string, input: unknown, headers: Record<string, string> = {}): Promise<T> {
		const response = await this.call(procedure, input, headers);
		const body = (await response.json()) as { result?: { data: T }; error?: { message: string } };
		if (!body.result) throw new Error(`${response.status} ${body.error?.message}`);
		return body.result.data;
	}

	async stop(): Promise<void> {
		if (this.process.exitCode === null) {
			const ended = new Promise((resolve) => this.process.once("exit", resolve));
			this.process.kill();
			await ended;
		}
		rmSync(this.folder, { recursive: true });
	}
}
