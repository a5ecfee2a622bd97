/**
 * The database: one pool, short transactions, the extension's schema and what
 * is in it as the catalog says.
 *
 * Everything is asked for in a transaction with SET LOCAL, so that nothing of
 * ours stays in a session that a pooler gives to somebody else. Texts write @.
 * for the extension's schema; whatever comes from outside is a parameter.
 */
import pg from "pg";

export type Row = Record<string, unknown>;

export type Query = <T extends Row>(text: string, values?: unknown[]) => Promise<T[]>;

/** The row of a question that always has one. */
export function only<T>(rows: T[]): T {
	const [row] = rows;
	if (row === undefined) throw new Error("there is no row");
	return row;
}

/** What the extension in this database offers to our role. */
export interface Features {
	schema: string;
	version: string;
	/** Functions that we may call */
	functions: ReadonlySet<string>;
	/** Tables and views that we may read */
	readable: ReadonlySet<string>;
	/** Tables that we may insert into, update and delete from */
	writable: ReadonlySet<string>;
	/** The library is preloaded: only then it has a setting for its shared memory */
	preloaded: boolean;
	/** Workers write what shared memory counts */
	worker: boolean;
	role: string;
	inRecovery: boolean;
}

/** There is no extension usage_limits in this database. */
export class NotInstalledError extends Error {}

const featureSeconds = 60;
const statementSeconds = 20;

type Parse = (text: string) => unknown;

const asWritten: Parse = (text) => text;

/** How values come, by type; the rest as the driver has it. */
const parsers = new Map<number, Parse>([
	// bigint as a number: amounts end at 10^15, and ids are asked for as text
	[pg.types.builtins.INT8, Number],
	[pg.types.builtins.NUMERIC, Number],
	// as PostgreSQL writes them: JavaScript's dates lose microseconds and infinity
	[pg.types.builtins.TIMESTAMPTZ, instant],
	[pg.types.builtins.DATE, asWritten],
	[pg.types.builtins.INTERVAL, asWritten],
]);

const types: pg.CustomTypesConfig = {
	getTypeParser: ((oid: number, format?: "text") =>
		parsers.get(oid) ?? pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

/** A timestamptz in UTC as ISO 8601 with its microseconds; infinity stays what it is. */
function instant(text: string): string {
	return text.endsWith("infinity") ? text : text.replace(" ", "T").replace(/\+00$/, "Z");
}

export class Database {
	private readonly pool: pg.Pool;
	private found: { features: Promise<Features>; until: number } | undefined;

	constructor(databaseUrl: string | undefined) {
		this.pool = new pg.Pool({
			...(databaseUrl === undefined ? {} : { connectionString: databaseUrl }),
			application_name: "usage-limits-dashboard",
			types,
			max: 8,
			connectionTimeoutMillis: 10_000,
			idleTimeoutMillis: 30_000,
		});
		// a connection that breaks while idle: the next query makes a new one
		this.pool.on("error", () => {});
	}

	close(): Promise<void> {
		return this.pool.end();
	}

	read<T>(work: (query: Query, features: Features) => Promise<T>): Promise<T> {
		return this.transaction("BEGIN READ ONLY", work).then(({ result }) => result);
	}

	/** The warnings are what PostgreSQL said beside the answer. */
	write<T>(
		work: (query: Query, features: Features) => Promise<T>,
	): Promise<{ result: T; warnings: string[] }> {
		return this.transaction("BEGIN READ WRITE", work);
	}

	/** Looks at the catalog again once a minute: an upgrade shows without a restart. */
	features(): Promise<Features> {
		if (!this.found || this.found.until < Date.now()) {
			const features = this.inTransaction("BEGIN READ ONLY", findFeatures);
			this.found = { features, until: Date.now() + featureSeconds * 1000 };
			features.catch(() => this.forget());
		}
		return this.found.features;
	}

	private forget(): void {
		this.found = undefined;
	}

	private async transaction<T>(
		begin: string,
		work: (query: Query, features: Features) => Promise<T>,
	): Promise<{ result: T; warnings: string[] }> {
		const features = await this.features();
		try {
			return await this.inTransactionWithWarnings(begin, (client) =>
				work(
					async (text, values) =>
						(
							await client.query(
								text.replaceAll("@.", () => `${features.schema}.`),
								values,
							)
						).rows,
					features,
				),
			);
		} catch (error) {
			// undefined function, table, schema or column: what we know is of yesterday
			if (["42883", "42P01", "3F000", "42703"].includes((error as { code?: string }).code ?? ""))
				this.forget();
			throw error;
		}
	}

	private async inTransaction<T>(begin: string, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
		return (await this.inTransactionWithWarnings(begin, work)).result;
	}

	private async inTransactionWithWarnings<T>(
		begin: string,
		work: (client: pg.PoolClient) => Promise<T>,
	): Promise<{ result: T; warnings: string[] }> {
		const client = await this.pool.connect();
		const warnings: string[] = [];
		const listen = (notice: { severity?: string | undefined; message?: string | undefined }) => {
			if (notice.severity === "WARNING" && notice.message) warnings.push(notice.message);
		};
		client.on("notice", listen);
		let broken: Error | undefined;
		try {
			await client.query(
				`${begin}; SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD';
         SET LOCAL IntervalStyle = 'postgres'; SET LOCAL statement_timeout = '${statementSeconds}s'; SET LOCAL lock_timeout = '5s'`,
			);
			const result = await work(client);
			await client.query("COMMIT");
			return { result, warnings };
		} catch (error) {
			await client.query("ROLLBACK").catch((failure: Error) => (broken = failure));
			throw error;
		} finally {
			client.off("notice", listen);
			client.release(broken);
		}
	}
}

async function findFeatures(client: pg.PoolClient): Promise<Features> {
	const {
		rows: [extension],
	} = await client.query<{
		schema: string;
		version: string;
		role: string;
		in_recovery: boolean;
		oid: string;
	}>(
		`SELECT e.oid::text, quote_ident(n.nspname) AS schema, e.extversion AS version, current_user AS role,
       pg_is_in_recovery() AS in_recovery
     FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'usage_limits' AND has_schema_privilege(n.oid, 'USAGE')`,
	);
	if (!extension) throw new NotInstalledError();

	const { rows: functions } = await client.query<{ name: string }>(
		`SELECT p.proname AS name FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
     WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = $1
       AND d.deptype = 'e' AND has_function_privilege(p.oid, 'EXECUTE')`,
		[extension.oid],
	);
	const { rows: relations } = await client.query<{ name: string; readable: boolean; writable: boolean }>(
		`SELECT c.relname AS name, has_table_privilege(c.oid, 'SELECT') AS readable,
       has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
         AND has_table_privilege(c.oid, 'DELETE') AS writable
     FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = $1
       AND d.deptype = 'e' AND c.relkind IN ('r', 'p', 'v')`,
		[extension.oid],
	);
	// the settings are the library's once it is loaded, and nobody else's
	if (functions.some(({ name }) => name === "usage_now"))
		await client.query(`SELECT ${extension.schema}.usage_now()`);
	const settings = only(
		(
			await client.query<{ counters: string | null; worker: string | null }>(
				`SELECT current_setting('usage_limits.max_counters', true) AS counters,
				   current_setting('usage_limits.worker_enabled', true) AS worker`,
			)
		).rows,
	);
	const names = (rows: { name: string }[]) => new Set(rows.map((row) => row.name));
	return {
		schema: extension.schema,
		version: extension.version,
		functions: names(functions),
		readable: names(relations.filter((row) => row.readable)),
		writable: names(relations.filter((row) => row.writable)),
		preloaded: settings.counters !== null,
		worker: settings.worker === "on",
		role: extension.role,
		inRecovery: extension.in_recovery,
	};
}
