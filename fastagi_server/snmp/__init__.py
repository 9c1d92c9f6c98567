"""The service as an SNMP agent sees it: objects for snmpd, and traps for a manager."""
