#!/usr/bin/env node
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { serve } from "@hono/node-server";
import { createApp } from "./app";
import { signUserToken } from "./auth";
import { type Config, readConfig, UsageError } from "./config";
import { Database } from "./database";
import { fillWithDemoData } from "./demo";

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const log = (line: string) => void process.stderr.write(`usage-limits-dashboard: ${line}\n`);

function runServer(config: Config): void {
	const webRoot = file("../web");
	if (!existsSync(webRoot)) throw new UsageError("the page is not built: npm run build");
	const database = new Database(config.databaseUrl);
	const app = createApp({ config, database, webRoot, log });
	const server = serve(
		{ fetch: app.fetch, hostname: config.host, port: config.port },
		({ address, family, port }) => {
			const host = family === "IPv6" ? `[${address}]` : address;
			process.stdout.write(`The dashboard is at ${config.publicUrl?.href ?? `http://${host}:${port}/`}\n`);
		},
	);
	server.on("error", (error) => {
		log(error.message);
		process.exit(1);
	});
	const stop = () => {
		server.close();
		void database.close().finally(() => process.exit(0));
	};
	process.on("SIGINT", stop);
	process.on("SIGTERM", stop);
}

async function main(): Promise<void> {
	const { version } = JSON.parse(readFileSync(file("../../package.json"), "utf8")) as { version: string };
	const config = readConfig(
		process.argv.slice(2),
		process.env,
		version,
		(text) => void process.stdout.write(text),
	);
	switch (config?.command) {
		case "serve":
			return runServer(config);
		case "user-token":
			if (config.userToken)
				process.stdout.write(`${signUserToken(config.userToken)}
`);
			return;
		case "demo-data":
			return fillWithDemoData(config.databaseUrl, log);
	}
}

main().catch((error: Error) => {
	log(error.message);
	if (error instanceof UsageError) log("see --help");
	process.exitCode = error instanceof UsageError ? 2 : 1;
});
