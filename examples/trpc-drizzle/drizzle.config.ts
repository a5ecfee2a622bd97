import { defineConfig } from "drizzle-kit";

export default defineConfig({
	dialect: "postgresql",
	schema: "./src/schema.ts",
	out: "./drizzle",
	// the extension has a schema of its own, which drizzle-kit is to leave alone
	schemaFilter: ["public"],
	dbCredentials: { url: process.env.DATABASE_URL as string },
});
