namespace Proxy.Disk;

/// <summary>Passes a result to the caller, or disposes it when the caller has given up.</summary>
internal sealed class Handover<T> where T : class
{
    private readonly Lock _lock = new();
    private bool _isClosed;
    private T? _result;

    public void Set(T? result)
    {
        lock (_lock)
        {
            if (!_isClosed)
            {
                _result = result;
                return;
            }
        }
        (result as IDisposable)?.Dispose();
    }

    /// <summary>Takes the result, if any; later results are disposed.</summary>
    public T? Close()
    {
        lock (_lock)
        {
            _isClosed = true;
            return _result;
        }
    }
}
