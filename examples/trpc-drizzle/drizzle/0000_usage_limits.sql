CREATE SCHEMA usage;
--> statement-breakpoint
CREATE EXTENSION usage_limits SCHEMA usage;
--> statement-breakpoint
SELECT usage.usage_install_defaults();
