"""The verbs of `bgb`, each a thin function over the engine, imported only when its verb is used."""
