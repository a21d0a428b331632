namespace Proxy.Operations;

/// <summary>An answer that was begun cannot be finished: the only honest end is to break off, so that nobody takes it for whole.</summary>
public sealed class BrokenBodyException() : IOException("The backend's answer broke off.");
