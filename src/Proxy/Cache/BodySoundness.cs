namespace Proxy.Cache;

/// <summary>Whether a body on disk can be the object that its key names; the feature that stores bodies registers one.</summary>
public delegate bool BodySoundness(EntryKey key, ICachedBody body);
