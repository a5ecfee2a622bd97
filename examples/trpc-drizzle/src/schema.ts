import { pgTable, text, uuid } from "drizzle-orm/pg-core";

export const scenes = pgTable("scenes", {
	id: uuid("id").defaultRandom().primaryKey(),
	ownerId: text("owner_id").notNull(),
	prompt: text("prompt").notNull(),
});

export const videos = pgTable("videos", {
	id: uuid("id").defaultRandom().primaryKey(),
	ownerId: text("owner_id").notNull(),
	format: text("format").notNull(),
});
