
ann*wscat