namespace Proxy.Operations;

/// <summary>The settings of one feature as they are now; a reload puts a new record in place of the old.</summary>
public sealed class Reloadable<T>(T value) where T : class
{
    private T _value = value;

    public T Value => Volatile.Read(ref _value);

    public void Set(T value) => Volatile.Write(ref _value, value);
}
