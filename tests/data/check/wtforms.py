# expect: V306
