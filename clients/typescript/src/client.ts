/** What the classes of the package share: a database, its options, and calls on it. */

import { call, toObject, type UsageOptions } from "./call.js";
import type { UsageDatabase } from "./database.js";
import { translating } from "./errors.js";

export abstract class UsageClient<Options extends UsageOptions = UsageOptions> {
	protected readonly db: UsageDatabase;
	protected readonly options: Options;

	constructor(db: UsageDatabase, options: Options = {} as Options) {
		this.db = db;
		this.options = options;
	}

	/** The same over another database, usually a transaction: what it does is then part of that. */
	with(db: UsageDatabase): this {
		return new (this.constructor as new (db: UsageDatabase, options: Options) => this)(db, this.options);
	}

	/** One of this class over the database of another. */
	static like<Client>(
		this: new (
			db: UsageDatabase,
			options: UsageOptions,
		) => Client,
		other: UsageClient<UsageOptions>,
	): Client {
		return new this(other.db, { schema: other.options.schema });
	}

	/** The one value that a function returns. */
	protected async value<T>(name: string, args: Parameters<typeof call>[3]): Promise<T> {
		const [value] = await translating(call(this.db, this.options, name, args));
		return value as T;
	}

	/** The one row that a function returns. */
	protected async row<T>(name: string, args: Parameters<typeof call>[3]): Promise<T> {
		const [row] = await translating(call(this.db, this.options, name, args));
		return toObject<T>(row);
	}

	/** The rows that a function returns, in its order. */
	protected async rows<T>(name: string, args: Parameters<typeof call>[3]): Promise<T[]> {
		return (await translating(call(this.db, this.options, name, args))).map((row) => toObject<T>(row));
	}
}
