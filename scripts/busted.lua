-- busted as a script of whatever interpreter runs this.
require "busted.runner" { standalone = false }
