namespace Proxy.Operations;

/// <summary>The current settings of one feature; a reload replaces the whole record.</summary>
/// <typeparam name="T">The options record.</typeparam>
/// <param name="value">The settings at the start.</param>
public sealed class Reloadable<T>(T value) where T : class
{
    private T _value = value;

    /// <summary>The current settings.</summary>
    public T Value => Volatile.Read(ref _value);

    /// <summary>Replaces the settings.</summary>
    public void Replace(T value) => Volatile.Write(ref _value, value);
}
